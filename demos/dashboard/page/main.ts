import { bootstrapApplication } from '@angular/platform-browser';

import { Dashboard } from './dashboard.ts';

await bootstrapApplication(Dashboard);
