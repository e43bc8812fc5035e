import { AsyncPipe } from '@angular/common';
import { ChangeDetectionStrategy, Component, computed, inject, InjectionToken } from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';
import type { Store } from 'rx-persistify';

export const SENSORS = new InjectionToken<Store<Record<string, number>>>('sensors');

/** Shows what a store has, and needs no value to begin with. */
@Component({
  selector: 'app-thermometer',
  imports: [AsyncPipe],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `@if (hasKitchen()) {<p>kitchen {{ fahrenheit() }} °F</p>} @else {<p>no kitchen</p>}<p>, attic {{ (attic$ | async) ?? 'absent' }}</p><p>, {{ size() }} of {{ names() }}</p>`,
})
export class Thermometer {
  readonly #sensors = inject(SENSORS);
  readonly kitchen = toSignal(this.#sensors.get$('kitchen'), { requireSync: true });
  readonly hasKitchen = toSignal(this.#sensors.has$('kitchen'), { requireSync: true });
  readonly size = toSignal(this.#sensors.size$, { requireSync: true });
  readonly entries = toSignal(this.#sensors.entries$, { requireSync: true });
  readonly status = toSignal(this.#sensors.status$, { requireSync: true });
  readonly names = computed(() => this.entries().map(([name]) => name).join('+'));
  readonly fahrenheit = computed(() => (this.kitchen() ?? Number.NaN) * 1.8 + 32);
  readonly attic$ = this.#sensors.get$('attic');
}
