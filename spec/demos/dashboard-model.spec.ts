import type { Status } from 'rx-persistify';
import { from, map, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';

import { lineOf, panelsFor } from '../../demos/dashboard/model/panels.ts';
import { plotData } from '../../demos/dashboard/model/plot-data.ts';
import { combineStatuses, holdTrouble } from '../../demos/dashboard/model/standing.ts';
import { trendOf } from '../../demos/dashboard/model/trend.ts';
import type { Sample } from '../../demos/telemetry/history.ts';

const sample = (sequence: number, at: number, values: Sample['values']): Sample => ({ sequence, at, values });

describe('what a chart shows', () => {
  it('is a column of times in seconds, and one of values for each metric', () => {
    const samples = [sample(1, 10_000, { cpu: 1, load: 2 }), sample(2, 10_250, { cpu: 3 })];
    expect(plotData(samples, ['cpu', 'load'])).toEqual([[10, 10.25], [1, 3], [2, null]]);
    expect(plotData([], ['cpu'])).toEqual([[], []]);
  });

  it('is nothing where the server was away', () => {
    const samples = [sample(1, 10_000, { cpu: 1 }), sample(2, 11_500, { cpu: 2 }), sample(3, 13_001, { cpu: 3 })];
    expect(plotData(samples, ['cpu'])).toEqual([[10, 11.5, 11.501, 13.001], [1, 2, null, 3]]);
  });
});

describe('the trend of a key', () => {
  it('is its course in the last minute, and the least and the most of it', () => {
    const samples = [sample(1, 0, { load: 99 }), sample(2, 59_000, { load: 4 }), sample(3, 60_000, { load: 2 }), sample(4, 61_000, { load: 0 })];
    expect(trendOf('load', samples)).toEqual({ least: 0, most: 4, path: 'M96.7,1.5L98.3,10.0L100.0,18.5' });
  });

  it('begins anew where the server was away', () => {
    const samples = [sample(1, 1_000, { load: 1 }), sample(2, 31_000, { load: 0 }), sample(3, 61_000, { load: 1 })];
    expect(trendOf('load', samples)?.path).toBe('M0.0,1.5M50.0,18.5M100.0,1.5');
  });

  it('lies between 0 and 100 for what is a percentage, and stands still on what is always alike', () => {
    expect(trendOf('cpu', [sample(1, 0, { cpu: 50 })])?.path).toBe('M100.0,10.0');
    expect(trendOf('disk.read', [sample(1, 0, { 'disk.read': 0 })])?.path).toBe('M100.0,18.5');
  });

  it('is none for a key that no sample has', () => {
    expect(trendOf('gone', [sample(1, 0, { cpu: 1 })])).toBeUndefined();
    expect(trendOf('gone', [])).toBeUndefined();
  });
});

describe('the charts', () => {
  it('are those of what there is', () => {
    expect(panelsFor(['cpu', 'memory.used', 'loop.mean', 'loop.max', 'of another version']).map(({ title }) => title)).toEqual(['CPU', 'Memory', 'Event loop']);
    expect(panelsFor([])).toEqual([]);
  });

  it('have a faint line for each core, unless there are many', () => {
    const cores = Array.from({ length: 16 }, (_, index) => `cpu.${index}`);
    expect(panelsFor(['cpu', ...cores])[0]?.lines.map(({ kind }) => kind)).toEqual(['area', ...cores.map(() => 'faint')]);
    expect(panelsFor(['cpu', ...cores, 'cpu.16'])[0]?.lines.map(({ metric }) => metric)).toEqual(['cpu']);
  });

  it('fill what stands on zero', () => {
    expect([lineOf('load.1').kind, lineOf('cpu').kind, lineOf('memory.used').kind]).toEqual(['area', 'area', 'line']);
  });
});

describe('how stores stand together', () => {
  const status = (state: Status['state'], rest: Partial<Status> = {}): Status => ({ state, pending: 0, fullness: 0, lastSavedAt: undefined, ...rest });

  it('is as the most urgent of them', () => {
    expect(combineStatuses([status('pending', { pending: 2, lastSavedAt: 5 }), status('failing', { pending: 3, lastSavedAt: 4 })])).toEqual({ state: 'failing', pending: 5, lastSavedAt: 5, connection: { state: 'connected' } });
    expect(combineStatuses([status('idle'), status('closed')])).toMatchObject({ state: 'idle', lastSavedAt: undefined });
  });

  it('is stale since the first of them is', () => {
    const since = (staleSince: number): Partial<Status> => ({ connection: { state: 'reconnecting', staleSince } });
    expect(combineStatuses([status('idle', since(9)), status('idle', since(7)), status('idle', { connection: { state: 'connected' } })]).connection).toEqual({ state: 'reconnecting', staleSince: 7 });
  });

  it('is in trouble until it has saved, whatever is tried meanwhile', () => {
    const saved = (state: Status['state'], lastSavedAt: number): Status => status(state, { lastSavedAt });
    const course = [saved('saving', 1), saved('retrying', 1), saved('saving', 1), saved('failing', 1), saved('pending', 1), saved('saving', 1), saved('pending', 2), saved('saving', 2), saved('retrying', 2), saved('idle', 2)];
    let states: readonly string[] = [];
    from(course).pipe(holdTrouble(), map(({ state }) => state), toArray()).subscribe((told) => (states = told));
    expect(states).toEqual(['saving', 'retrying', 'retrying', 'failing', 'failing', 'failing', 'pending', 'saving', 'retrying', 'idle']);
  });
});
