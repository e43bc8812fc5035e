import type { Subscription } from 'rxjs';
import type { CommitFeed, Cursor } from 'rx-persistify';
import { onTestFinished } from 'vitest';

import type { OpenDictionary } from './open-dictionary.ts';

/** What a session's feed tells. */
export class Told {
  readonly commits: CommitFeed[] = [];
  readonly errors: unknown[] = [];
  readonly #subscription: Subscription;
  isReset = false;
  isComplete = false;
  #wake: () => void = () => undefined;

  constructor({ session }: Pick<OpenDictionary, 'session'>, since: Cursor = { version: 0 }) {
    if (session.watch === undefined) throw new Error('there is no feed');
    this.#subscription = session.watch(since).subscribe({
      next: feed => {
        if (feed.type === 'reset') this.isReset = true;
        else this.commits.push(feed);
        this.#wake();
      },
      error: (error: unknown) => {
        this.errors.push(error);
        this.#wake();
      },
      complete: () => {
        this.isComplete = true;
        this.#wake();
      },
    });
    onTestFinished(() => this.#subscription.unsubscribe());
  }

  get versions(): readonly number[] {
    return this.commits.map(({ cursor }) => cursor.version);
  }

  get cursor(): Cursor | undefined {
    return this.commits.at(-1)?.cursor;
  }

  /** Each commit in short: its version, `clear`, what it set and, with a minus, what it deleted. */
  get lines(): readonly string[] {
    return this.commits.map(({ cursor, cleared, entries, deleted }) =>
      [cursor.version, ...(cleared ? ['clear'] : []), ...entries.map(({ key, json }) => `${key}=${json}`), ...deleted.map(key => `-${key}`)].join(' '),
    );
  }

  /** Waits for the commit of this version. */
  async reaches(version: number): Promise<void> {
    await this.until(() => (this.cursor?.version ?? 0) >= version || this.isReset || this.isComplete);
    if ((this.cursor?.version ?? 0) < version) throw new Error(`told ${this.isReset ? 'a reset' : 'the end'} instead of the commit ${version}`);
  }

  async resets(): Promise<void> {
    await this.until(() => this.isReset);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.errors.length > 0) throw this.errors[0];
      await new Promise<void>(resolve => (this.#wake = resolve));
    }
  }

  leave(): void {
    this.#subscription.unsubscribe();
  }
}
