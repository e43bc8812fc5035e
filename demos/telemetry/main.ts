// Telemetry. There is to see: a store that holds, streams and saves real measurements of this machine; stopped and started
// again, it finds them. See `npm start -- --help`.
import { performance } from 'node:perf_hooks';
import { auditTime, combineLatest, exhaustMap, filter, firstValueFrom, fromEvent, map, merge, pairwise, sample as at } from 'rxjs';
import { shareReplay, startWith, takeUntil, timer, type Observable } from 'rxjs';

import { openDashboard } from '../dashboard/open-dashboard.ts';
import type { DashboardServer } from '../dashboard/serve-dashboard.ts';
import { help, parseCommand, type Command } from './arguments.ts';
import { awaitEnding, describeEnding, exitCodeOf } from './endings.ts';
import { sortSamples, type Kept, type Measurements } from './history.ts';
import { Machine } from './machine.ts';
import { openMeasurements, placeOf } from './open-measurements.ts';
import { withColours, withoutColours } from './paint.ts';
import { sample } from './sampling.ts';
import { followSaving, type Saving } from './saving.ts';
import { Screen } from './screen.ts';
import { momentOf, renderLine, renderScreen, timeOf, type View } from './view.ts';

type Run = Extract<Command, { type: 'run' }>;

const sampleMs = 250;
const closeDeadlineMs = 10_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const command = parseCommand(args);
  switch (command.type) {
    case 'help':
      console.log(help);
      return 0;
    case 'mistake':
      console.error(`${command.message}\nSee --help.`);
      return 2;
    case 'run':
      return run(command);
  }
}

async function run({ storage, port, seconds }: Run): Promise<number> {
  const place = placeOf(storage);
  const measurements = await openMeasurements(storage).catch((error: unknown) => {
    console.error(`Cannot open ${place}: ${messageOf(error)}`);
    return undefined;
  });
  if (measurements === undefined) return 1;

  const found = describeFound(measurements.kept);
  console.log(found);
  const tally = follow(measurements);
  let dashboard: DashboardServer | undefined;
  try {
    dashboard = await openDashboard({ measurements, saving$: tally.saving$, place, port });
  } catch (error) {
    console.error(`Cannot serve the dashboard: ${messageOf(error)}`);
    await close(measurements);
    return 1;
  }
  const address = dashboard?.address ?? 'not built; npm run page builds it';
  console.log(`Dashboard: ${address}`);

  const began = performance.now();
  const ending$ = awaitEnding(seconds).pipe(shareReplay(1));
  const ended = firstValueFrom(ending$);
  measure(measurements, ending$);
  const hide = show(watch(measurements, tally.saving$, { place, found, address, seconds, began }));

  const ending = await ended;
  hide();
  const elapsedSeconds = (performance.now() - began) / 1_000;
  console.log(`${describeEnding(ending)}: saving …`);
  const failures = await close(measurements); // the dashboard shows how that goes
  await dashboard?.close();
  for (const failure of failures) console.error(messageOf(failure));
  console.log(describeEnd(measurements.kept, tally.read(), elapsedSeconds, place, failures.length === 0));
  return failures.length === 0 ? exitCodeOf(ending) : 1;
}

/** Four times a second, until it ends: the difference of two readings is a sample. */
function measure(measurements: Measurements, ending$: Observable<unknown>): void {
  const machine = new Machine();
  timer(0, sampleMs)
    .pipe(
      exhaustMap(() => machine.read()),
      pairwise(),
      takeUntil(ending$),
    )
    .subscribe({
      next: ([previous, current]) => measurements.add(Date.now(), sample(previous, current)),
      complete: () => machine.close(),
    });
}

interface Tally {
  readonly changes: number;
  readonly saving: Saving | undefined;
}

/** Counts what happens in the stores until they are closed. */
function follow({ current, slots }: Measurements): { readonly saving$: Observable<Saving>; readonly read: () => Tally } {
  let changes = 0;
  let saving: Saving | undefined;
  merge(current.changes$, slots.changes$).subscribe(() => (changes += 1));
  const saving$ = followSaving([current, slots], () => performance.now()).pipe(shareReplay(1));
  saving$.subscribe((latest) => (saving = latest));
  return { saving$, read: () => ({ changes, saving }) };
}

/** What is to be seen, from the stores' own streams. */
function watch({ current, slots }: Measurements, saving$: Observable<Saving>, { place, found, address, seconds, began }: Heading): Observable<View> {
  return combineLatest({ entries: current.entries$, slots: slots.entries$, saving: saving$ }).pipe(
    map(({ entries, slots, saving }) => ({
      place,
      found,
      address,
      seconds,
      elapsedSeconds: (performance.now() - began) / 1_000,
      current: entries,
      samples: sortSamples(slots.map(([, slot]) => slot)),
      saving,
    })),
  );
}

interface Heading extends Pick<View, 'place' | 'found' | 'address' | 'seconds'> {
  /** When, by `performance.now`. */
  readonly began: number;
}

/** Shows `views$` in place on a terminal, else as a line a second. Returns what ends it. */
function show(views$: Observable<View>): () => void {
  const terminal = process.stdout;
  if (!terminal.isTTY || process.env['TERM'] === 'dumb') {
    const lines = views$.pipe(at(timer(1_000, 1_000)), filter(({ samples }) => samples.length > 0)).subscribe((view) => console.log(renderLine(view)));
    return () => lines.unsubscribe();
  }
  const screen = new Screen(terminal);
  const paint = (process.env['NO_COLOR'] ?? '') === '' ? withColours : withoutColours;
  screen.open();
  const resized$ = fromEvent(terminal, 'resize').pipe(startWith(undefined));
  const drawing = combineLatest([views$, resized$]).pipe(auditTime(50)).subscribe(([view]) => screen.draw(renderScreen(view, screen.size, paint)));
  return () => {
    drawing.unsubscribe();
    screen.close();
  };
}

/** Saves everything; gives what could not be. */
async function close({ current, slots }: Measurements): Promise<readonly unknown[]> {
  const outcomes = await Promise.allSettled([current.close({ deadlineMs: closeDeadlineMs }), slots.close({ deadlineMs: closeDeadlineMs })]);
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
}

function describeFound(kept: Kept | undefined): string {
  return kept === undefined ? 'Nothing is kept here yet.' : `Found ${describeKept(kept)}.`;
}

function describeKept({ metrics, samples, from, to }: Kept): string {
  const isOneDay = new Date(from).toDateString() === new Date(to).toDateString();
  return `${metrics} metrics, ${samples} samples, ${momentOf(from)} to ${isOneDay ? timeOf(to) : momentOf(to)}`;
}

function describeEnd(kept: Kept | undefined, { changes, saving }: Tally, seconds: number, place: string, isSaved: boolean): string {
  return [
    isSaved ? 'Everything is saved.' : 'Not everything could be saved.',
    `${changes} changes in ${seconds.toFixed(1)} s became ${saving?.saved ?? 0} writes in ${saving?.batches ?? 0} batches.`,
    ...(kept === undefined || !isSaved ? [] : [`${place} holds ${describeKept(kept)}. The next run goes on from there.`]),
  ].join('\n');
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
