import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';

import { timeOf } from '../../telemetry/view.ts';
import { SavingDetails } from './saving-details.ts';
import { Telemetry } from './telemetry.ts';

/** How saving stands on the server, in a word and a figure; more on a click, and by itself while it fails. */
@Component({
  selector: 'app-saving-state',
  imports: [SavingDetails],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <button type="button" class="state saving" [class]="tone()" popovertarget="saving-details" aria-haspopup="dialog" [attr.aria-label]="'Saving: ' + word() + '. Show more'">
      <span class="dot"></span><span class="word">{{ word() }}</span>
      <span class="figures">
        <span class="count">{{ standing().pending || '' }}</span><span class="wide">last saved {{ savedAt() }}</span>
      </span>
    </button>
    <div id="saving-details" class="popover" popover role="dialog" aria-label="Saving" (toggle)="isOpen.set($event.newState === 'open')">
      @if (isOpen()) {
        <h2>Saving, on the server</h2>
        <app-saving-details [savedAt]="savedAt()" [pending]="standing().pending" />
      }
    </div>
  `,
})
export class SavingState {
  readonly #telemetry = inject(Telemetry);
  protected readonly standing = this.#telemetry.standing;
  protected readonly isOpen = signal(false);
  protected readonly word = computed(() => words[this.standing().state]);
  /** While the server cannot be reached nobody knows. */
  protected readonly tone = computed(() => (this.#telemetry.isStale() ? '' : tones[this.standing().state]));
  protected readonly savedAt = computed(() => {
    const { lastSavedAt } = this.standing();
    return lastSavedAt === undefined ? 'not yet' : timeOf(lastSavedAt);
  });
}

type State = ReturnType<Telemetry['standing']>['state'];

const words: Readonly<Record<State, string>> = { idle: 'Saved', pending: 'Pending', saving: 'Saving', retrying: 'Retrying', failing: 'Failing', closed: 'Closed' };
const tones: Readonly<Record<State, string>> = { idle: 'good', pending: 'good', saving: 'good', retrying: 'warning', failing: 'bad', closed: 'warning' };
