import { bootstrapApplication } from '@angular/platform-browser';

import { Dashboard } from './dashboard.ts';
import { openStores, provideStores } from './stores.ts';

// An open store answers at once, so that no part of the page needs to know of a time before.
await bootstrapApplication(Dashboard, { providers: [provideStores(await openStores('feed'))] });
