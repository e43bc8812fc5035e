// What the specs run of Angular, compiled as an application is.
export { ApplicationRef, createComponent } from '@angular/core';

export { CURRENT, openStores, provideStores } from '../../../demos/dashboard/page/stores.ts';
export { Telemetry } from '../../../demos/dashboard/page/telemetry.ts';
export { startApplication } from './application.ts';
export { Kitchen, provideSensors } from './kitchen.ts';
export { TextNode } from './text-renderer.ts';
export { SENSORS, Thermometer } from './thermometer.ts';
