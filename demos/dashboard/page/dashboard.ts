import { ChangeDetectionStrategy, Component, signal } from '@angular/core';

@Component({ selector: 'app-dashboard', changeDetection: ChangeDetectionStrategy.OnPush, template: `<h1>{{ title() }}</h1>` })
export class Dashboard {
  protected readonly title = signal('rx-persistify');
}
