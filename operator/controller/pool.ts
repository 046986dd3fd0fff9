/** Equal values, by their JSON, become one. */
export class Pool<T> {
  readonly #values = new Map<string, T>();
  readonly #most: number;

  /** `most`: how many are remembered; then it begins anew, and equal values may be two for a while. */
  constructor(most = 4096) {
    this.#most = most;
  }

  shared(value: T): T {
    const key = JSON.stringify(value);
    const known = this.#values.get(key);
    if (known !== undefined) return known;
    if (this.#values.size >= this.#most) this.#values.clear();
    this.#values.set(key, value);
    return value;
  }
}
