import { setTimeout as delay } from 'node:timers/promises';

import type { Observable } from 'rxjs';

import { ReadOnlyError } from '../../errors.ts';
import type { BatchResult } from '../../mutation.ts';
import type { Capabilities, Cursor, Feed, OpenContext, Page, ProviderSession } from '../provider.ts';
import { Subscriptions } from '../subscriptions.ts';
import { failureOf } from './failure.ts';
import { Follower } from './follower.ts';
import { pagesOf } from './load.ts';
import { locate } from './locate.ts';
import type { JsonFileSettings } from './options.ts';
import { isPassing, type Picture, takePicture } from './picture.ts';
import { isSameBase, type Place } from './place.ts';
import { tellFindings } from './recover.ts';
import { letGo } from './snapshot.ts';

/** What looks like damage for this long is none that passes. */
const patienceMs = 1_000;
/** Files that are being changed come to rest within this time, or their owner hangs. */
const settleMs = 10_000;
const longestPauseMs = 50;

/** A dictionary in a JSON file that others write. It takes no lock, and changes nothing. */
export class ReadOnlySession implements ProviderSession {
  readonly capabilities: Capabilities = { shared: true, durability: 'power', readOnly: true };
  readonly #storeName: string;
  readonly #settings: JsonFileSettings;
  readonly #report: OpenContext['report'];
  readonly #subscriptions = new Subscriptions();
  #place: Place | undefined;
  /** By how much versions are ahead of the files' count of commits: an older file may be put in the place of a newer one, or one that counts none. */
  #ahead = 0;

  constructor(storeName: string, settings: JsonFileSettings, report: OpenContext['report']) {
    this.#storeName = storeName;
    this.#settings = settings;
    this.#report = report;
  }

  async *load(): AsyncGenerator<Page, void> {
    const picture = await this.#picture();
    try {
      const { json, place: { files } } = picture;
      const { version } = (this.#place = this.#numbered(picture.place));
      if (json !== undefined) tellFindings(files, json, this.#report);
      for await (const { entries } of pagesOf(picture, () => version)) yield { entries, version };
    } catch (error) {
      throw failureOf(error, `read ${picture.place.files.json}`);
    } finally {
      await letGo(picture);
    }
  }

  async #picture(): Promise<Picture> {
    const startedAt = performance.now();
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      try {
        return await takePicture(await this.#locate(), this.#storeName, this.#place);
      } catch (error) {
        const failure = failureOf(error, `read ${JSON.stringify(this.#storeName)} in ${this.#settings.directory}`);
        if (performance.now() - startedAt > (isPassing(error) ? settleMs : patienceMs)) throw failure;
      }
      await delay(pauseMs);
    }
  }

  /** A version of its own for each state that is not known to be the one before, or to come after it. */
  #numbered(place: Picture['place']): Place {
    const before = this.#place;
    const isSame = before?.seq === place.seq && isSameBase(before.json?.identity, place.json?.identity);
    // From 1 on, so that a file without a count may have entries, which each have a version.
    const least = (before?.version ?? 0) + (isSame ? 0 : 1);
    this.#ahead = Math.max(this.#ahead, least - place.seq);
    return { ...place, version: place.seq + this.#ahead };
  }

  write(): Promise<BatchResult> {
    return Promise.reject(new ReadOnlyError(`json-file: ${JSON.stringify(this.#storeName)} in ${this.#settings.directory} is open to be read only`));
  }

  watch(since: Cursor): Observable<Feed> {
    return this.#subscriptions.watch(({ tell }) => {
      const place = this.#place;
      if (place?.version !== since.version) {
        tell({ type: 'reset' });
        return undefined;
      }
      const follower = new Follower({
        storeName: this.#storeName,
        locate: () => this.#locate(),
        pollMs: this.#settings.pollMs,
        place,
        versionOf: seq => seq + this.#ahead,
        moved: moved => void (this.#place = moved),
        tell,
        report: this.#report,
      });
      follower.start();
      return () => follower.stop();
    });
  }

  close(): Promise<void> {
    return this.#subscriptions.close();
  }

  #locate() {
    return locate(this.#storeName, this.#settings.directory);
  }
}
