import { assert, double, jsonValue, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { indented } from '../../../lib/providers/json-file/indent.ts';
import { compacted } from '../../../lib/providers/json-file/member-scanner.ts';

describe('indented', () => {
  it('lays out as JSON.stringify does', () => {
    assert(property(jsonValue(), value => {
      expect(indented(JSON.stringify(value), 2, 0)).toBe(JSON.stringify(value, undefined, 2));
    }));
  });

  it('keeps tokens that a parser would not', () => {
    expect(indented('{"a":1.0,"a":12345678901234567890,"b":[]}', 1, 0)).toBe('{\n "a": 1.0,\n "a": 12345678901234567890,\n "b": []\n}');
  });

  it('takes strings and numbers of any length', () => {
    for (const long of [JSON.stringify('x"\\'.repeat(8_000_000)), '1'.repeat(20_000_000)]) {
      expect(indented(`[${long}]`, 2, 0) === `[\n  ${long}\n]`).toBe(true);
    }
  });
});

describe('compacted', () => {
  it('undoes it', () => {
    assert(property(jsonValue(), double(), string(), (value, number, text) => {
      const json = JSON.stringify({ value, number, text, [text]: value });
      expect(compacted(Buffer.from(indented(json, 3, 1))).toString()).toBe(json);
    }));
  });
});
