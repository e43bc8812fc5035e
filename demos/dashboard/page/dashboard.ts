import { ChangeDetectionStrategy, Component, inject, signal } from '@angular/core';

import { ChartPanels } from './chart-panels.ts';
import { ConnectionState } from './connection-state.ts';
import { KeyHistory } from './key-history.ts';
import { KeyTable } from './key-table.ts';
import { SavingState } from './saving-state.ts';
import { Telemetry } from './telemetry.ts';
import { ThemeChoice } from './theme.ts';
import { Trouble } from './trouble.ts';

/** The page. */
@Component({
  selector: 'app-dashboard',
  imports: [ChartPanels, ConnectionState, KeyHistory, KeyTable, SavingState, Trouble],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <header class="bar">
      <h1>Telemetry <span>rx-persistify</span></h1>
      <app-connection-state />
      <app-saving-state />
      <button type="button" class="icon theme" (click)="theme.toggle()" [attr.aria-label]="theme.theme() === 'dark' ? 'Change to light' : 'Change to dark'">
        <svg viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="5.25" /><path d="M8 2.75a5.25 5.25 0 0 1 0 10.5z" /></svg>
      </button>
    </header>
    <app-trouble />
    <main [class.stale]="telemetry.isStale()">
      <app-chart-panels class="panels" />
      <app-key-table (chosen)="chosen.set($event)" />
    </main>
    @if (chosen(); as key) {
      <app-key-history [key]="key" (closed)="chosen.set(undefined)" />
    }
  `,
})
export class Dashboard {
  protected readonly telemetry = inject(Telemetry);
  protected readonly theme = inject(ThemeChoice);
  /** The key whose history is shown. */
  protected readonly chosen = signal<string | undefined>(undefined);
}
