const SHORTEST_MS = 60
const LONGEST_MS = 400
/** Drawing takes at most this part of the time, so that scrolling and typing stay smooth on a slow machine. */
const SHARE = 1 / 5

/** How often a growing text is drawn, by how long that takes here. */
export class Pace {
  private cost = 0

  /** Milliseconds from one drawing to the next. */
  get interval(): number {
    return Math.min(LONGEST_MS, Math.max(SHORTEST_MS, this.cost / SHARE))
  }

  /** Tells how long a drawing took. */
  took(ms: number): void {
    this.cost += (ms - this.cost) / 3
  }

  /** Draws, and notes how long it takes until the frame is there. */
  draw(draw: () => void): void {
    const began = performance.now()
    draw()
    globalThis.requestAnimationFrame?.(() => setTimeout(() => this.took(performance.now() - began)))
  }
}
