import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core';

import { formatValue } from '../../telemetry/metrics.ts';
import { panelsFor, type Panel } from '../model/panels.ts';
import { Chart } from './chart.ts';
import { Telemetry } from './telemetry.ts';

/** All charts. Pointing at a moment in one shows it in all. */
@Component({
  selector: 'app-chart-panels',
  imports: [Chart],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    @for (panel of panels(); track keyOf(panel)) {
      <section class="panel" [attr.aria-label]="panel.title">
        <header>
          <h2>{{ panel.title }}</h2>
          <dl class="legend">
            @for (line of panel.lines; track line.metric) {
              @if (line.kind !== 'faint') {
                <div>
                  <dt [style.--colour]="'var(' + line.colour + ')'">{{ line.label }}</dt>
                  <dd>{{ valueOf(panel, line.metric) }}</dd>
                </div>
              }
            }
          </dl>
        </header>
        <app-chart [lines]="panel.lines" [unit]="panel.unit" [scale]="panel.scale" [label]="panel.title + ', the last minute'" />
      </section>
    } @empty {
      <p class="waiting">Waiting for the first sample …</p>
    }
  `,
})
export class ChartPanels {
  readonly #telemetry = inject(Telemetry);
  protected readonly panels = computed(() => panelsFor(this.#telemetry.keys()));

  /** A chart's lines are fixed: other lines are another chart. */
  protected keyOf({ title, lines }: Panel): string {
    return [title, ...lines.map(({ metric }) => metric)].join(' ');
  }

  protected valueOf({ unit }: Panel, metric: string): string {
    const value = this.#telemetry.shown()?.values[metric];
    return value === undefined ? '–' : formatValue(unit, value);
  }
}
