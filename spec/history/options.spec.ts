import { describe, expect, it } from 'vitest';

import { argumentsFrom } from './options.ts';

describe('the options of a history', () => {
  it('have defaults', () => {
    expect(argumentsFrom([])).toMatchObject({ provider: 'sqlite', processes: 4, writes: 100_000, cuts: 20, restarts: 0, kills: 5, seconds: 3_600, settleSeconds: 30, isJson: false, mutants: false });
    expect(argumentsFrom(['--provider', 'postgres', '--writes', '1000000'])).toMatchObject({ restarts: 5, kills: 40 });
  });

  it('are what is given', () => {
    const args = ['--provider', 'postgres', '--processes', '8', '--cuts', '100', '--restarts', '50', '--kills', '7', '--seed', '1', '--faults', 'locked,suspended', '--poll-ms', '100', '--json'];
    expect(argumentsFrom(args)).toMatchObject({ processes: 8, cuts: 100, restarts: 50, kills: 7, seed: 1, faults: ['locked', 'suspended'], pollMs: 100, isJson: true });
  });

  it.each([
    [['--provider', 'mysql'], '--provider should be sqlite or postgres, not mysql'],
    [['--writes', 'many'], '--writes should be a whole number from 1 to 100000000, not many'],
    [['--processes', '1'], '--processes should be a whole number from 2 to 64, not 1'],
    [['--cuts'], '--cuts should be a whole number from 0 to 100000, not true'],
    [['--restarts', '1'], '--restarts: SQLite has no server to restart'],
    [['--readers', '2'], 'there is no option --readers'],
    [['quickly'], 'what is "quickly" to mean?'],
  ])('%j: says what was expected', (args, message) => {
    expect(() => argumentsFrom(args)).toThrow(message);
  });
});
