import { execFileSync } from 'node:child_process';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import type { Withdrawal } from './given-back.ts';

/** Another name for the directory, so that its path leads nowhere. */
export const awayAndBack: Withdrawal = {
  withdraw: (directory) => {
    renameSync(directory, `${directory}.away`);
    return () => renameSync(`${directory}.away`, directory);
  },
  spares: [],
  told: /was removed while|the directory is gone/,
  bars: false, // it would make a new one
};

/** The directory mounted over itself, for reading only: files that are open can be written, and none can be made or opened for writing. */
export const readOnlyMount: Withdrawal = {
  withdraw: (directory) => {
    execFileSync('mount', ['--bind', directory, directory]);
    execFileSync('mount', ['-o', 'remount,bind,ro', directory]);
    return () => execFileSync('umount', ['--lazy', directory]);
  },
  spares: ['json-file', 'sqlite'],
  told: /the file system is mounted read-only/,
  bars: true,
};

/**
 * Of the directory too: nothing can be written, made, renamed or unlinked (chattr(1)). SQLite's -shm file is spared: it is mapped
 * into memory, and the kernel ends with SIGBUS whoever writes to a mapped file that was made immutable.
 */
export const immutable: Withdrawal = {
  withdraw: (directory) => {
    const paths = [directory, ...readdirSync(directory).filter((name) => !name.endsWith('-shm')).map((name) => join(directory, name))];
    execFileSync('chattr', ['+i', ...paths]);
    return () => execFileSync('chattr', ['-i', ...paths]);
  },
  spares: [],
  told: /immutable|permission|not permitted|disk I\/O error/,
  bars: true,
};
