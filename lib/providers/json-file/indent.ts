/**
 * JSON text with its values laid out in lines, as JSON.stringify does with a space argument, but from text to text: tokens stay as
 * they are, so long numbers, double members and their order survive.
 * @param depth how deep the value itself stands.
 */
export function indented(text: string, spaces: number, depth: number): string {
  const lineAt = (level: number): string => `\n${' '.repeat(spaces * level)}`;
  let result = '';
  let level = depth;
  let opened = false;
  for (const token of tokensOf(text)) {
    if (token === '}' || token === ']') {
      level -= 1;
      result += opened ? token : lineAt(level) + token;
      opened = false;
      continue;
    }
    if (opened) result += lineAt(level);
    opened = token === '{' || token === '[';
    if (opened) level += 1;
    result += token;
    if (token === ',') result += lineAt(level);
    if (token === ':') result += ' ';
  }
  return result;
}

const tokens = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs;

function* tokensOf(text: string): Generator<string, void> {
  for (const [token] of text.matchAll(tokens)) yield token;
}
