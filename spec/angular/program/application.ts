import { createEnvironmentInjector, createPlatformFactory, Injector, NgModule, platformCore, RendererFactory2, runInInjectionContext, ɵINJECTOR_SCOPE, type EnvironmentInjector, type EnvironmentProviders, type Provider } from '@angular/core';

import { TextRenderer } from './text-renderer.ts';

// As BrowserModule does, which needs a document: what is provided in root is provided here.
@NgModule({ providers: [{ provide: ɵINJECTOR_SCOPE, useValue: 'root' }, { provide: RendererFactory2, useClass: TextRenderer }] })
class Application {
  ngDoBootstrap(): void {
    // What is shown is created by who tests it.
  }
}

export interface RunningApplication {
  readonly injector: EnvironmentInjector;
  /** Runs what injects. */
  readonly run: <T>(body: () => T) => T;
  readonly destroy: () => void;
}

/** An application of Angular without a document: with the zoneless change detection that an application has, and `providers`. */
export async function startApplication(providers: readonly (Provider | EnvironmentProviders)[]): Promise<RunningApplication> {
  const platform = createPlatformFactory(platformCore, 'text')();
  const application = await platform.bootstrapModule(Application);
  const injector = createEnvironmentInjector([...providers], application.injector);
  return {
    injector,
    run: (body) => runInInjectionContext(injector.get(Injector), body),
    destroy: () => {
      if (platform.destroyed) return;
      injector.destroy();
      platform.destroy();
    },
  };
}
