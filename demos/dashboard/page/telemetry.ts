import { computed, inject, Injectable, signal } from '@angular/core';
import { toSignal } from '@angular/core/rxjs-interop';
import { combineLatest, distinctUntilChanged, map, throttleTime } from 'rxjs';

import { sortSamples, type Sample } from '../../telemetry/history.ts';
import { compareMetrics } from '../../telemetry/metrics.ts';
import { combineStatuses, holdTrouble } from '../model/standing.ts';
import { CURRENT, SAMPLES } from './stores.ts';

/** No more often is anything drawn that is made of all samples. */
const drawEveryMs = 100;
/** The first at once, as a signal has to have a value. */
const throughout = { leading: true, trailing: true };

/** What the stores hold, as signals, for all parts of the page. */
@Injectable({ providedIn: 'root' })
export class Telemetry {
  readonly #current = inject(CURRENT);
  readonly #samples = inject(SAMPLES);

  /** The keys of all current values, as they are to be read. */
  readonly keys = toSignal(
    this.#current.entries$.pipe(
      throttleTime(drawEveryMs, undefined, throughout),
      map((entries) => entries.map(([key]) => key)),
      distinctUntilChanged((before, now) => before.join('\0') === now.join('\0')), // else many would be sorted ten times a second
      map((keys) => keys.toSorted(compareMetrics)),
    ),
    { requireSync: true },
  );

  /** The last samples, in order. */
  readonly samples = toSignal(
    this.#samples.entries$.pipe(
      throttleTime(drawEveryMs, undefined, throughout),
      map((entries) => sortSamples(entries.map(([, sample]) => sample))),
    ),
    { requireSync: true },
  );

  readonly standing = toSignal(combineLatest([this.#current.status$.pipe(holdTrouble()), this.#samples.status$.pipe(holdTrouble())]).pipe(map(combineStatuses)), { requireSync: true });
  readonly isStale = computed(() => this.standing().connection.state === 'reconnecting');

  /** The moment that is pointed at in a chart. */
  readonly pointedAt = signal<number | undefined>(undefined);
  /** What is to be read beside the charts: the sample that is pointed at, else the last. */
  readonly shown = computed((): Sample | undefined => {
    const at = this.pointedAt();
    const samples = this.samples();
    return (at === undefined ? undefined : samples.find((sample) => sample.at === at)) ?? samples.at(-1);
  });
}
