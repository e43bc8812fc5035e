/** Colours text, or leaves it as it is. */
export interface Paint {
  readonly plain: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly red: (text: string) => string;
}

const plain = (text: string): string => text;

/** For NO_COLOR (no-color.org) and tests. */
export const withoutColours: Paint = { plain, bold: plain, dim: plain, cyan: plain, green: plain, yellow: plain, red: plain };

export const withColours: Paint = {
  plain,
  bold: select(1, 22),
  dim: select(2, 22),
  cyan: select(36, 39),
  green: select(32, 39),
  yellow: select(33, 39),
  red: select(31, 39),
};

function select(on: number, off: number): (text: string) => string {
  return (text) => (text === '' ? text : `\x1b[${on}m${text}\x1b[${off}m`);
}
