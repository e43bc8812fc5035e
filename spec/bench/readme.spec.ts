import { readFile } from 'node:fs/promises';

import { describe, expect, it } from 'vitest';

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const [readme, page] = await Promise.all([read('README.md'), read('spec/bench/README.md')]);
const said = readme.slice(readme.indexOf('is [measured]'), readme.indexOf('## What each call promises'));

describe('what the README says of cost', () => {
  it('is how many budgets the page says are met, of how many', () => {
    const [, met, all] = /^(\d+) of (\d+) budgets met/m.exec(page) ?? [];
    expect(said).toContain(`Of the ${all} budgets that the library sets itself ${met} are met`);
  });

  it('is that the machine was busy, where the page says so', () => {
    expect(said.includes('machine that was busy')).toBe(page.includes('The machine was busy'));
  });

  it('has no ratio that the page has not', () => {
    const ratios = [...page.matchAll(/\| (\d+\.?\d*)x \(/g)].map(([, ratio]) => Number(ratio));
    const told = [...said.matchAll(/\b\d+\.\d\b|\b\d+(?= (?:to \d+ )?times)/g)].map(([ratio]) => ratio);
    expect(told.length).toBeGreaterThan(10);
    for (const ratio of told) expect(ratios.map((each) => each.toFixed(ratio.includes('.') ? 1 : 0)), ratio).toContain(ratio);
  });
});
