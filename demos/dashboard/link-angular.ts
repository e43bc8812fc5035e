import { readFile } from 'node:fs/promises';

import angularLinker from '@angular/compiler-cli/linker/babel';
import { transformAsync } from '@babel/core';
import type { Plugin } from 'esbuild';

/** Angular's packages leave the last step of their compilation to whoever bundles them; without it a page would need the compiler. */
export const linkAngular: Plugin = {
  name: 'link-angular',
  setup(build) {
    build.onLoad({ filter: /@angular[\\/].*\.m?js$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      if (!text.includes('ɵɵngDeclare')) return { contents: text };
      const linked = await transformAsync(text, { filename: path, plugins: [[angularLinker, { linkerJitMode: false, sourceMapping: false }]], babelrc: false, configFile: false, compact: false });
      return { contents: linked?.code ?? text };
    });
  },
};
