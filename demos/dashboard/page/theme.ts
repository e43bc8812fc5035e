import { effect, Injectable, signal } from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';
import { fromEvent, map, startWith } from 'rxjs';

export type Theme = 'light' | 'dark';

const storageKey = 'theme';
const prefersDark = matchMedia('(prefers-color-scheme: dark)');

/** Light or dark: as the system is, until somebody chooses; a choice that is the system's is none. */
@Injectable({ providedIn: 'root' })
export class ThemeChoice {
  readonly #chosen = signal(chosenBefore());
  readonly #preferred = toSignal(fromEvent(prefersDark, 'change').pipe(startWith(undefined), map((): Theme => (prefersDark.matches ? 'dark' : 'light'))), { requireSync: true });

  constructor() {
    effect(() => {
      const chosen = this.#chosen();
      if (chosen === undefined) delete document.documentElement.dataset['theme'];
      else document.documentElement.dataset['theme'] = chosen;
    });
  }

  theme(): Theme {
    return this.#chosen() ?? this.#preferred();
  }

  toggle(): void {
    const wanted = this.theme() === 'dark' ? 'light' : 'dark';
    const chosen = wanted === this.#preferred() ? undefined : wanted;
    this.#chosen.set(chosen);
    if (chosen === undefined) localStorage.removeItem(storageKey);
    else localStorage.setItem(storageKey, chosen);
  }
}

function chosenBefore(): Theme | undefined {
  const stored = localStorage.getItem(storageKey);
  return stored === 'light' || stored === 'dark' ? stored : undefined;
}
