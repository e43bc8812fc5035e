import { partOfBudget } from './report.ts';
import type { Result } from './result.ts';

const [left, right, rowHeight, top] = [470, 360, 20, 58];
/** What the scale reaches: a tenth of a budget to ten times. */
const [least, most] = [0.1, 10];
const styles = 'text{font:12px system-ui,sans-serif;fill:#333}.head{font-weight:600}.line{stroke:#999}.met{fill:#2f855a}.not-met{fill:#c05621}';

/** How all stand to their budgets, as a picture: a bar that ends left of the line in the middle is within its budget. */
export function chartOf(results: readonly Result[]): string {
  const bars = results.filter(({ verdict }) => verdict !== 'no budget');
  const height = top + bars.length * rowHeight + 24;
  const middle = xOf(1);
  const body = bars.map((result, index) => barOf(result, top + index * rowHeight));
  const marks = [0.1, 0.5, 1, 2, 10].map((part) => `<text x="${xOf(part)}" y="${top - 8}" text-anchor="middle">${part === 1 ? 'budget' : `${part}x`}</text>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right + 20}" height="${height}" viewBox="0 0 ${left + right + 20} ${height}" role="img">`,
    `<title>Measured figures against their budgets</title><style>${styles}</style><rect width="100%" height="100%" fill="#fff"/>`,
    `<text class="head" x="10" y="20">Measured, as a part of the budget (a logarithmic scale; shorter is better)</text>`,
    ...marks,
    ...body,
    `<line class="line" x1="${middle}" x2="${middle}" y1="${top - 4}" y2="${height - 12}"/>`,
    '</svg>\n',
  ].join('\n');
}

function barOf(result: Result, y: number): string {
  const part = partOfBudget(result);
  const end = xOf(part);
  const title = `<text x="${left - 8}" y="${y + 13}" text-anchor="end">${escaped(result.line.title)}</text>`;
  const bar = `<rect class="${result.verdict === 'met' ? 'met' : 'not-met'}" x="${left}" y="${y + 2}" width="${Math.max(1, end - left)}" height="${rowHeight - 6}"/>`;
  return `${title}${bar}<text x="${Math.min(end + 6, left + right - 24)}" y="${y + 13}">${part.toFixed(2)}</text>`;
}

function xOf(part: number): number {
  const within = Math.min(most, Math.max(least, part));
  return Math.round(left + (right * Math.log(within / least)) / Math.log(most / least));
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '');
}
