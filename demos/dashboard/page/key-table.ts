import { ChangeDetectionStrategy, Component, computed, inject, output, signal } from '@angular/core';

import { KeyRow } from './key-row.ts';
import { Telemetry } from './telemetry.ts';

/** More rows than this nobody reads, and a browser takes long for them. */
const mostRows = 200;

/** All keys with their values, or those that begin as asked. */
@Component({
  selector: 'app-key-table',
  imports: [KeyRow],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <div class="toolbar">
      <h2 id="keys-heading">Keys</h2>
      <span class="figures" role="status">{{ matching().length }} of {{ telemetry.keys().length }}</span>
      <label class="filter"><span class="hidden">Filter by prefix</span><input type="search" placeholder="Filter by prefix" autocomplete="off" spellcheck="false" [value]="prefix()" (input)="filter($event)" (keydown.escape)="prefix.set('')" /></label>
    </div>
    <table aria-labelledby="keys-heading">
      <thead>
        <tr>
          <th scope="col">Key</th>
          <th scope="col" class="number">Value</th>
          <th scope="col" class="number wide">Least</th>
          <th scope="col" class="number wide">Most</th>
          <th scope="col">Last minute</th>
          <th scope="col" class="number wide">Changed</th>
        </tr>
      </thead>
      <tbody (keydown.arrowdown)="move($event, 1)" (keydown.arrowup)="move($event, -1)">
        @for (key of rows(); track key) {
          <tr app-key-row [key]="key" (chosen)="chosen.emit(key)"></tr>
        } @empty {
          <tr class="none"><td colspan="6">No key begins with “{{ prefix() }}”.</td></tr>
        }
      </tbody>
    </table>
    @if (matching().length > rows().length) {
      <p class="more">and {{ matching().length - rows().length }} more; a longer prefix shows fewer.</p>
    }
  `,
})
export class KeyTable {
  protected readonly telemetry = inject(Telemetry);
  /** The key whose history is wanted. */
  readonly chosen = output<string>();
  protected readonly prefix = signal('');
  protected readonly matching = computed(() => this.telemetry.keys().filter((key) => key.startsWith(this.prefix())));
  protected readonly rows = computed(() => this.matching().slice(0, mostRows));

  protected filter({ target }: Event): void {
    if (target instanceof HTMLInputElement) this.prefix.set(target.value);
  }

  /** From the row that has the focus to the one above or below. */
  protected move(event: Event, step: 1 | -1): void {
    if (!(event.currentTarget instanceof HTMLElement)) return;
    const buttons = [...event.currentTarget.querySelectorAll<HTMLButtonElement>('button.key')];
    const next = buttons[buttons.findIndex((button) => button === document.activeElement) + step];
    if (next === undefined) return;
    event.preventDefault(); // else the page scrolls as well
    next.focus();
  }
}
