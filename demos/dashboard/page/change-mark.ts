const prefersStillness = matchMedia('(prefers-reduced-motion: reduce)');

/** Shows for a moment that a cell has changed, unless somebody asked for less motion. */
export class ChangeMark {
  /** One for all changes of the cell: to ask a cell for its animations would make the browser work out its style each time. */
  readonly #fading: Animation;

  constructor(cell: HTMLElement) {
    this.#fading = cell.animate([{ backgroundColor: 'var(--mark)' }, { backgroundColor: 'transparent' }], { duration: 600, easing: 'steps(6)' });
    this.#fading.cancel();
  }

  show(): void {
    if (prefersStillness.matches) return;
    this.#fading.currentTime = 0;
    this.#fading.play();
  }
}
