import { AsyncPipe, DecimalPipe } from '@angular/common';
import { ChangeDetectionStrategy, Component, inject, input } from '@angular/core';

import { SavingFeed } from './saving-feed.ts';

/** What the server tells of its saving; followed as long as it is shown. */
@Component({
  selector: 'app-saving-details',
  imports: [AsyncPipe, DecimalPipe],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    @let facts = facts$ | async;
    <dl class="facts">
      <div><dt>Kept in</dt><dd class="place">{{ facts?.place ?? '…' }}</dd></div>
      <div><dt>Last saved</dt><dd>{{ savedAt() }}</dd></div>
      <div><dt>Pending</dt><dd>{{ pending() }}</dd></div>
      <div><dt>Batches</dt><dd>{{ facts?.batches | number }}</dd></div>
      <div><dt>Writes saved</dt><dd>{{ facts?.saved | number }}</dd></div>
      <div><dt>Saved a second</dt><dd>{{ facts?.savedPerSecond | number: '1.1-1' }}</dd></div>
    </dl>
    @if (facts?.error; as error) {
      <p class="error">{{ error }}</p>
    }
  `,
})
export class SavingDetails {
  readonly savedAt = input.required<string>();
  readonly pending = input.required<number>();
  protected readonly facts$ = inject(SavingFeed).facts$;
}
