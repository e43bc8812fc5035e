import { ChangeDetectionStrategy, Component, computed, effect, inject, Injector, input, output, signal, viewChild, type ElementRef, type OnInit, type Signal } from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';

import type { Measurement } from '../../telemetry/history.ts';
import { formatValue, metricOf } from '../../telemetry/metrics.ts';
import { timeOf } from '../../telemetry/view.ts';
import { trendOf } from '../model/trend.ts';
import { ChangeMark } from './change-mark.ts';
import { CURRENT } from './stores.ts';
import { Telemetry } from './telemetry.ts';

/** The row of a key: it follows its own key alone, and changes in place. */
@Component({
  selector: 'tr[app-key-row]',
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <th scope="row"><button type="button" class="key" (click)="$event.stopPropagation(); chosen.emit()" aria-haspopup="dialog">{{ key() }}</button></th>
    <td class="value"><span #cell>{{ text() }}</span></td>
    <td class="quiet wide">{{ least() }}</td>
    <td class="quiet wide">{{ most() }}</td>
    <td class="trend"><svg viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true"><path [attr.d]="trend()?.path" /></svg></td>
    <td class="quiet wide">{{ changedAt() }}</td>
  `,
  host: { '(click)': 'chosen.emit()' },
})
export class KeyRow implements OnInit {
  readonly key = input.required<string>();
  readonly chosen = output();

  readonly #store = inject(CURRENT);
  readonly #telemetry = inject(Telemetry);
  readonly #injector = inject(Injector);
  protected readonly cell = viewChild.required<ElementRef<HTMLElement>>('cell');
  /** Of the store from ngOnInit on, when the key is known. */
  protected measurement: Signal<Measurement | undefined> = signal(undefined);
  protected readonly metric = computed(() => metricOf(this.key()));
  protected readonly trend = computed(() => trendOf(this.key(), this.#telemetry.samples()));
  protected readonly text = computed(() => this.#format(this.measurement()?.value));
  protected readonly least = computed(() => this.#format(this.trend()?.least));
  protected readonly most = computed(() => this.#format(this.trend()?.most));
  protected readonly changedAt = computed(() => {
    const at = this.measurement()?.at;
    return at === undefined ? '' : timeOf(at);
  });

  ngOnInit(): void {
    this.measurement = toSignal(this.#store.get$(this.key()), { requireSync: true, injector: this.#injector });
    let before = this.text();
    let mark: ChangeMark | undefined;
    effect(
      () => {
        const text = this.text();
        if (text !== before) (mark ??= new ChangeMark(this.cell().nativeElement)).show();
        before = text;
      },
      { injector: this.#injector },
    );
  }

  #format(value: number | undefined): string {
    return value === undefined ? '–' : formatValue(this.metric().unit, value);
  }
}
