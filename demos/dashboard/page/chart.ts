import { afterNextRender, ChangeDetectionStrategy, Component, DestroyRef, effect, ElementRef, inject, input, signal } from '@angular/core';
import uPlot from 'uplot';

import type { Scale, Unit } from '../../telemetry/metrics.ts';
import type { Line } from '../model/panels.ts';
import { plotData } from '../model/plot-data.ts';
import { plotOptions } from './plot-options.ts';
import { Telemetry } from './telemetry.ts';
import { ThemeChoice } from './theme.ts';

/** A live chart of the samples. What it shows is fixed by its inputs at first; values and theme follow. */
@Component({
  selector: 'app-chart',
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: '',
  host: { role: 'img', '[attr.aria-label]': 'label()' },
})
export class Chart {
  readonly lines = input.required<readonly Line[]>();
  readonly unit = input.required<Unit>();
  readonly scale = input.required<Scale>();
  readonly label = input.required<string>();

  readonly #telemetry = inject(Telemetry);
  readonly #theme = inject(ThemeChoice);
  readonly #host = inject<ElementRef<HTMLElement>>(ElementRef).nativeElement;
  readonly #plot = signal<uPlot | undefined>(undefined);

  constructor() {
    const destroyed = inject(DestroyRef);
    afterNextRender(() => {
      const plot = this.#create();
      const resizing = new ResizeObserver(() => plot.setSize(this.#size));
      resizing.observe(this.#host);
      destroyed.onDestroy(() => {
        resizing.disconnect();
        plot.destroy();
      });
      this.#plot.set(plot);
    });
    effect(() => this.#plot()?.setData(this.#data()));
    effect(() => {
      this.#theme.theme();
      // The style sheet follows what the effect that chooses it has set.
      queueMicrotask(() => this.#plot()?.redraw(false));
    });
  }

  #create(): uPlot {
    const style = getComputedStyle(this.#host);
    return new uPlot(
      plotOptions({
        lines: this.lines(),
        unit: this.unit(),
        scale: this.scale(),
        ...this.#size,
        colourOf: (property) => style.getPropertyValue(property),
        onPoint: (at) => this.#telemetry.pointedAt.set(at),
      }),
      this.#data(),
      this.#host,
    );
  }

  #data(): uPlot.AlignedData {
    return plotData(
      this.#telemetry.samples(),
      this.lines().map(({ metric }) => metric),
    );
  }

  get #size(): { readonly width: number; readonly height: number } {
    return { width: this.#host.clientWidth, height: this.#host.clientHeight };
  }
}
