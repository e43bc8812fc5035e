import fc from 'fast-check';

/** A write that is applied at once, alone or within a transaction. */
export type Step =
  | { readonly call: 'set' | 'add'; readonly key: string; readonly value: unknown; readonly ttlMs: number | undefined }
  | { readonly call: 'delete'; readonly key: string }
  | { readonly call: 'clear' }
  | { readonly call: 'update'; readonly key: string; readonly value: unknown }
  | { readonly call: 'transaction'; readonly steps: readonly Step[]; readonly isThrown: boolean };

/** One call of a store, or something that happens to it. */
export type Command =
  | { readonly do: 'step' | 'step and save'; readonly step: Step }
  | { readonly do: 'together'; readonly steps: readonly Step[] }
  | { readonly do: 'get' | 'touch'; readonly key: string }
  | { readonly do: 'flush' | 'reload' | 'reopen' | 'crash' | 'watch' }
  | { readonly do: 'wait'; readonly ms: number };

export interface Plan {
  readonly ttl: 'none' | 'absolute' | 'sliding';
  readonly commands: readonly Command[];
}

export const keys = ['a', 'b', 'c', '__proto__', '1'] as const;
export const ttlMs = 1_000;

const key = fc.constantFrom(...keys);
const value = fc.oneof(fc.nat(9), fc.constantFrom<unknown>('text', null, false, [1], { a: 1 }, 'ä\n"'));
const ttl = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.constantFrom(300, 2_500, Infinity) });

const simple: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ call: fc.constant('set' as const), key, value, ttlMs: ttl }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('add' as const), key, value, ttlMs: ttl }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.constant({ call: 'clear' as const }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('update' as const), key, value: fc.oneof(value, fc.constant(undefined)) }) },
);
const { step } = fc.letrec<{ step: Step }>((tie) => ({
  step: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 4, arbitrary: simple },
    { weight: 1, arbitrary: fc.record({ call: fc.constant('transaction' as const), steps: fc.array(tie('step'), { maxLength: 5 }), isThrown: fc.boolean() }) },
  ),
}));

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('step' as const), step }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('step and save' as const), step }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('together' as const), steps: fc.array(simple, { minLength: 2, maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('get' as const, 'touch' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'reload' as const, 'reopen' as const, 'crash' as const, 'watch' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 299, 300, 701, 1_000, 3_000) }) },
);

export const plans: fc.Arbitrary<Plan> = fc.record({
  ttl: fc.constantFrom('none', 'absolute', 'sliding'),
  commands: fc.array(command, { minLength: 1, maxLength: 80, size: 'max' }),
});
