import { AsyncPipe } from '@angular/common';
import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core';
import { map } from 'rxjs';

import { isTrouble } from '../model/standing.ts';
import { SavingFeed } from './saving-feed.ts';
import { Telemetry } from './telemetry.ts';

/** Says across the page what is wrong; nothing else does it show. */
@Component({
  selector: 'app-trouble',
  imports: [AsyncPipe],
  changeDetection: ChangeDetectionStrategy.OnPush,
  host: { role: 'alert' },
  template: `
    @if (telemetry.isStale()) {
      <p class="banner warning"><strong>The server cannot be reached.</strong> Values are those it told last. It is tried again until it is back.</p>
    } @else if (isFailing()) {
      <p class="banner" [class]="telemetry.standing().state === 'failing' ? 'bad' : 'warning'"><strong>What is new is not saved at this moment.</strong> {{ (error$ | async) ?? 'It is tried again.' }}</p>
    }
  `,
})
export class Trouble {
  protected readonly telemetry = inject(Telemetry);
  protected readonly isFailing = computed(() => isTrouble(this.telemetry.standing().state));
  protected readonly error$ = inject(SavingFeed).facts$.pipe(map(({ error }) => error));
}
