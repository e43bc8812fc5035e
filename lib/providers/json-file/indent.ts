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

/** A loop, as a regular expression keeps a way back for each character, and has no room for those of a long string. */
function* tokensOf(text: string): Generator<string, void> {
  for (let at = 0; at < text.length;) {
    const end = tokenEnd(text, at);
    if (!isSpace(text, at)) yield text.slice(at, end);
    at = end;
  }
}

function tokenEnd(text: string, start: number): number {
  if (text[start] === '"') return stringEnd(text, start);
  let end = start + 1;
  if (structure.has(text[start] ?? '') || isSpace(text, start)) return end;
  while (end < text.length && text[end] !== '"' && !structure.has(text[end] ?? '') && !isSpace(text, end)) end += 1;
  return end;
}

function stringEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === '"') return at + 1;
    if (text[at] === '\\') at += 1;
  }
  return text.length;
}

const structure: ReadonlySet<string> = new Set('{}[],:');

/** JSON's white space is what is no more than a blank. */
function isSpace(text: string, at: number): boolean {
  return text.charCodeAt(at) <= 0x20;
}
