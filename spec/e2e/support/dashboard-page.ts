import type { Locator, Page } from 'playwright-core';

/** The dashboard as a person finds his way in it: by what is written, and by roles. */
export class DashboardPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  get charts(): Locator {
    return this.page.locator('app-chart canvas');
  }

  /** A chart by its heading. */
  chart(title: string): Locator {
    return this.page.getByRole('region', { name: title, exact: true }).locator('canvas');
  }

  /** Whether what is shown is true now. */
  get connection(): Locator {
    return this.page.locator('app-connection-state');
  }

  get saving(): Locator {
    return this.page.getByRole('button', { name: /^Saving: / });
  }

  get filter(): Locator {
    return this.page.getByRole('searchbox', { name: 'Filter by prefix' });
  }

  get table(): Locator {
    return this.page.getByRole('table', { name: 'Keys' });
  }

  /** The row of a key. */
  row(key: string): Locator {
    return this.table.getByRole('row').filter({ has: this.page.getByRole('button', { name: key, exact: true }) });
  }

  /** The value that a row shows. */
  value(key: string): Locator {
    return this.row(key).locator('td.value');
  }

  /** A key's history, where it is open. */
  history(key: string): Locator {
    return this.page.getByRole('dialog', { name: key, exact: true });
  }

  /** The numbers of the samples that a key's history shows, the oldest first. */
  async sequences(key: string): Promise<readonly number[]> {
    const texts = await this.history(key).locator('tbody tr td:last-child').allTextContents();
    return texts.map(Number).reverse();
  }
}

/** How many pixels of a chart are drawn, and what they look like in one number. */
export function drawn(chart: Locator): Promise<{ readonly pixels: number; readonly look: number }> {
  return chart.evaluate((canvas) => {
    if (!(canvas instanceof HTMLCanvasElement)) throw new Error('A chart is drawn on a canvas.');
    // A copy, as reading from the chart's own would change how the browser draws it.
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    if (copy === null) throw new Error('There is no canvas to copy a chart to.');
    copy.drawImage(canvas, 0, 0);
    const words = new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    let look = 0;
    for (const word of words) look = (Math.imul(look, 31) + word) | 0;
    return { pixels: words.filter((word) => word !== 0).length, look };
  });
}

/** The numbers between which one is missing or comes twice; none, as it should be. */
export function breaksIn(numbers: readonly number[]): readonly string[] {
  return numbers.flatMap((number, index) => {
    const before = numbers[index - 1];
    return before === undefined || number === before + 1 ? [] : [`${number} after ${before}`];
  });
}
