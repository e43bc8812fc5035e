import { describe, expect, it } from 'vitest';

import { optionsFrom } from './options.ts';
import { rows } from './rows/index.ts';

describe('the options of the benchmark', () => {
  it('ask for the usual run of all rows where nothing is said', () => {
    expect(optionsFrom([])).toEqual({ extent: 'usual', rows: [], json: undefined, svg: undefined, base: undefined, write: false, peers: false });
  });

  it('choose rows, extent and where the results go', () => {
    expect(optionsFrom(['--quick', '--rows', 'set,get', '--json', 'a.json'])).toMatchObject({ extent: 'quick', rows: ['set', 'get'], json: 'a.json' });
  });

  it.each([
    [['--quick', '--full'], '--quick and --full exclude each other.'],
    [['--base', 'a.json'], '--base asks for --rows: which rows are to be measured anew.'],
    [['--fast'], "Unknown option '--fast'"],
    [['set'], "Unexpected argument 'set'"],
  ])('%j are refused: %s', (args, message) => {
    expect(() => optionsFrom(args)).toThrow(message);
  });
});

describe('the rows', () => {
  it('have names of their own, by which they are chosen', () => {
    const names = rows.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('judge some of what they measure in a quick run, and each has rounds in a full one or is the smaller form of one that has', () => {
    expect(rows.some(({ rounds, lines }) => rounds.quick > 0 && lines.some(({ budget }) => budget !== undefined))).toBe(true);
    const inFull = new Set(rows.filter(({ rounds }) => rounds.full > 0).map(({ name }) => name));
    const others = rows.filter(({ name }) => !inFull.has(name));
    expect(others.filter(({ name, rounds }) => rounds.quick < 1 || !inFull.has(name.replace(/-\d+$/, ''))).map(({ name }) => name)).toEqual([]);
  });
});
