import { afterNextRender, ChangeDetectionStrategy, Component, computed, inject, input, output, viewChild, type ElementRef } from '@angular/core';

import { formatValue, metricOf } from '../../telemetry/metrics.ts';
import { timeOf } from '../../telemetry/view.ts';
import { lineOf } from '../model/panels.ts';
import { Chart } from './chart.ts';
import { Telemetry } from './telemetry.ts';

/** The last values of a key, beside the rest of the page until it is closed: by Esc, its button, or a click outside. */
@Component({
  selector: 'app-key-history',
  imports: [Chart],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <dialog #dialog class="sheet" aria-labelledby="history-key" (close)="closed.emit()" (click)="closeFromOutside($event)">
      <header>
        <h2 id="history-key" class="mono">{{ key() }}</h2>
        <button type="button" class="icon" aria-label="Close" (click)="dialog.close()">✕</button>
      </header>
      <dl class="summary">
        <div><dt>Now</dt><dd>{{ format(values()[0]?.value) }}</dd></div>
        <div><dt>Least</dt><dd>{{ format(least()) }}</dd></div>
        <div><dt>Mean</dt><dd>{{ format(mean()) }}</dd></div>
        <div><dt>Most</dt><dd>{{ format(most()) }}</dd></div>
      </dl>
      <app-chart [lines]="[line()]" [unit]="metric().unit" [scale]="metric().scale" [label]="key() + ', the last minute'" />
      <div class="scroll" tabindex="0" role="region" aria-label="Last values">
        <table>
          <thead>
            <tr><th scope="col">Time</th><th scope="col" class="number">Value</th><th scope="col" class="number">Sample</th></tr>
          </thead>
          <tbody>
            @for (row of values(); track row.sequence) {
              <tr><td>{{ row.time }}</td><td class="value">{{ row.text }}</td><td class="quiet">{{ row.sequence }}</td></tr>
            } @empty {
              <tr class="none"><td colspan="3">No sample of the last minute has it.</td></tr>
            }
          </tbody>
        </table>
      </div>
    </dialog>
  `,
})
export class KeyHistory {
  readonly key = input.required<string>();
  readonly closed = output();

  readonly #telemetry = inject(Telemetry);
  protected readonly dialog = viewChild.required<ElementRef<HTMLDialogElement>>('dialog');
  protected readonly metric = computed(() => metricOf(this.key()));
  protected readonly line = computed(() => lineOf(this.key()));
  /** The newest first. */
  protected readonly values = computed(() =>
    this.#telemetry
      .samples()
      .flatMap(({ sequence, at, values }) => {
        const value = values[this.key()];
        return value === undefined ? [] : [{ sequence, value, time: `${timeOf(at)}.${String(at % 1_000).padStart(3, '0')}`, text: this.format(value) }];
      })
      .reverse(),
  );
  readonly #numbers = computed(() => this.values().map(({ value }) => value));
  protected readonly least = computed(() => (this.#numbers().length === 0 ? undefined : Math.min(...this.#numbers())));
  protected readonly most = computed(() => (this.#numbers().length === 0 ? undefined : Math.max(...this.#numbers())));
  protected readonly mean = computed(() => (this.#numbers().length === 0 ? undefined : this.#numbers().reduce((sum, value) => sum + value, 0) / this.#numbers().length));

  constructor() {
    afterNextRender(() => this.dialog().nativeElement.showModal());
  }

  protected format(value: number | undefined): string {
    return value === undefined ? '–' : formatValue(this.metric().unit, value);
  }

  /** What lies around a dialog counts as the dialog itself; what is in it does not. */
  protected closeFromOutside({ target }: Event): void {
    const dialog = this.dialog().nativeElement;
    if (target === dialog) dialog.close();
  }
}
