import { closest } from '../../check-options.ts';
import { OptionsError } from '../../errors.ts';

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isPort = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535;

/** What each member of a connection is to be. */
const members: Readonly<Record<string, readonly [string, (value: unknown) => boolean]>> = {
  host: ['text', isText],
  port: ['a whole number from 1 to 65535', isPort],
  user: ['text', isText],
  password: ['text, or a function that gives it', (value) => typeof value === 'string' || typeof value === 'function'],
  database: ['text', isText],
  ssl: ['true, false, or an object of the options of tls.connect', (value) => typeof value === 'boolean' || (typeof value === 'object' && value !== null && !Array.isArray(value))],
  application_name: ['text', isText],
  options: ['text', isText],
};

const names = Object.keys(members);

const hidden = 'What was given is not shown, as it may hold a password.';

/**
 * Checks a connection. No message shows any of it, as a password may stand in a wrong place, too.
 * @param otherwise what the option may be beside a connection, for the message.
 * @throws OptionsError
 */
export function checkConnection(option: string, connection: unknown, otherwise = ''): void {
  const expected = `postgres(): ${option} must be ${otherwise}a connection string such as postgres://user@host:5432/database, or an object of ${names.join(', ')}`;
  if (typeof connection === 'string') {
    if (isConnectionString(connection)) return;
    throw new OptionsError(`${expected}. ${hidden} In a URL, a password's special characters are written by encodeURIComponent.`);
  }
  if (typeof connection !== 'object' || connection === null || Array.isArray(connection)) throw new OptionsError(`${expected}. ${hidden}`);
  for (const [name, value] of Object.entries(connection)) {
    const [description, isRight] = members[name] ?? [];
    if (description === undefined || isRight === undefined) {
      const meant = closest(name, names);
      throw new OptionsError(`${expected}; there is no ${JSON.stringify(name)}.${meant === undefined ? '' : ` Did you mean ${meant}?`}`);
    }
    if (value !== undefined && !isRight(value)) throw new OptionsError(`postgres(): ${option}.${name} must be ${description}. ${hidden}`);
  }
}

/**
 * A password with an unescaped / ? or # in it may make a URL all the same, of which a part of the password is the port, and the
 * rest the name of the database, which messages show.
 */
function isConnectionString(text: string): boolean {
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { pathname, search, hash } = new URL(text);
  return !pathname.includes('@') && !/^[^=]*@/.test(search) && hash === '' && isDecodable(text);
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
