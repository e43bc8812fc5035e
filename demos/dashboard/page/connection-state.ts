import { AsyncPipe } from '@angular/common';
import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core';
import { map, timer } from 'rxjs';

import { timeOf } from '../../telemetry/view.ts';
import { Telemetry } from './telemetry.ts';

/** Whether what is shown is true now, or since when it may not be. */
@Component({
  selector: 'app-connection-state',
  imports: [AsyncPipe],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    @if (staleSince(); as since) {
      <span class="state warning">
        <span class="dot hollow"></span><span role="status">Reconnecting</span>
        <span class="figures">stale since {{ timeOf(since) }} · {{ secondsSince(since, (now$ | async) ?? since) }} s</span>
      </span>
    } @else {
      <span class="state good"><span class="dot"></span><span role="status">Live</span></span>
    }
  `,
})
export class ConnectionState {
  readonly #telemetry = inject(Telemetry);
  protected readonly staleSince = computed(() => {
    const { connection } = this.#telemetry.standing();
    return connection.state === 'reconnecting' ? connection.staleSince : undefined;
  });
  protected readonly now$ = timer(0, 1_000).pipe(map(() => Date.now()));
  protected readonly timeOf = timeOf;

  protected secondsSince(then: number, now: number): number {
    return Math.max(0, Math.round((now - then) / 1_000));
  }
}
