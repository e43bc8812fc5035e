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

/** Of the directory too: nothing can be written, made, renamed or unlinked (chattr(1)). */
export const immutable: Withdrawal = {
  withdraw: (directory) => {
    const paths = [directory, ...readdirSync(directory).map((name) => join(directory, name))];
    const present = (): string[] => paths.filter((path) => path === directory || readdirSync(directory).some((name) => join(directory, name) === path));
    execFileSync('chattr', ['+i', ...present()]);
    return () => execFileSync('chattr', ['-i', ...present()]);
  },
  spares: [],
  told: /immutable|permission|disk I\/O error/,
  bars: true,
};
