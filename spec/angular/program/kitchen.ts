import { AsyncPipe } from '@angular/common';
import { ChangeDetectionStrategy, Component, DestroyRef, inject, InjectionToken, makeEnvironmentProviders, provideEnvironmentInitializer } from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';
import { persistify, type Store } from 'rx-persistify';
import { remote } from 'rx-persistify/remote';

export const SENSORS = new InjectionToken<Store<Record<string, number>>>('sensors');

/** For `bootstrapApplication(App, { providers: [await provideSensors('/feed')] })`: open before it begins, closed with it. */
export async function provideSensors(url: string) {
  const sensors = await persistify(remote({ url })).open<Record<string, number>>('sensors');
  return makeEnvironmentProviders([
    { provide: SENSORS, useValue: sensors },
    provideEnvironmentInitializer(() => inject(DestroyRef).onDestroy(() => void sensors.close())),
  ]);
}

@Component({
  selector: 'app-kitchen',
  imports: [AsyncPipe],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `kitchen {{ celsius() }} °C, attic {{ (attic$ | async) ?? 'absent' }}`,
})
export class Kitchen {
  readonly #sensors = inject(SENSORS);
  protected readonly celsius = toSignal(this.#sensors.get$('kitchen'), { requireSync: true });
  protected readonly attic$ = this.#sensors.get$('attic');
}
