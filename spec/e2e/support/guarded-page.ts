import type { Page } from 'playwright-core';

/** What a page did that it must not do; empty as it should be. */
export type Offences = readonly string[];

declare global {
  /** Told of what the page's policy of security has forbidden. */
  var tellViolation: (text: string) => void;
}

/** Watches a page, before it is opened, for errors and warnings on its console, for what its policy forbids, and for requests to others than `origin`. */
export async function guard(page: Page, origin: string): Promise<Offences> {
  const offences: string[] = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && offences.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => offences.push(`uncaught: ${error.message}`));
  page.on('request', (request) => new URL(request.url()).origin !== origin && offences.push(`request: ${request.url()}`));
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText ?? '';
    if (reason !== 'net::ERR_ABORTED') offences.push(`failed: ${request.url()} ${reason}`); // the page's own end of a feed is none
  });
  page.on('response', (response) => response.status() >= 400 && offences.push(`status ${response.status()}: ${response.url()}`));
  await page.exposeFunction('tellViolation', (text: string) => offences.push(text));
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      tellViolation(`policy: ${violatedDirective} ${blockedURI}`);
    }),
  );
  return offences;
}
