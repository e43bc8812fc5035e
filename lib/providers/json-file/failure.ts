import { PersistifyError, ProviderError, type FailureKind } from '../../errors.ts';

/** What passes by itself: the medium, or a limit of the process or of a busy system. */
const passing: ReadonlySet<string> = new Set(['EIO', 'EAGAIN', 'EBUSY', 'EMFILE', 'ENFILE', 'EINTR', 'ENOMEM', 'ETIMEDOUT', 'ESTALE', 'EDEADLK', 'ENOBUFS', 'ETXTBSY']);

/** What a person has to cure first, and how; anything that is not listed halts too. */
const cures: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EFBIG: 'the file would exceed the size that is allowed',
  EACCES: 'this process has no permission',
  EPERM: 'this process has no permission, or the file is immutable',
  EROFS: 'the file system is mounted read-only',
  ENOENT: 'the directory is gone',
  ENOTDIR: 'a part of the path is no directory',
  EISDIR: 'a directory stands where the file should be',
  ENAMETOOLONG: 'the path is too long',
};

/** The `code` of a system error, or `undefined`. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function kindOf(code: string | undefined): FailureKind {
  return code !== undefined && passing.has(code) ? 'retry' : 'halt';
}

/** What the core is told of `error`, which came up while `doing`; errors of ours stay as they are. */
export function failureOf(error: unknown, doing: string, details: { outcomeUnknown?: boolean } = {}): PersistifyError {
  if (error instanceof ProviderError && details.outcomeUnknown === true) {
    return new ProviderError(error.message, { kind: error.kind, outcomeUnknown: true, cause: error });
  }
  if (error instanceof PersistifyError) return error;
  const code = codeOf(error);
  const cure = code === undefined ? undefined : cures[code];
  const reason = error instanceof Error ? error.message : String(error);
  return new ProviderError(`json-file: could not ${doing}: ${cure === undefined ? '' : `${cure}: `}${reason}`, {
    kind: kindOf(code),
    outcomeUnknown: details.outcomeUnknown ?? false,
    cause: error,
  });
}
