/** The model of an API server as a world of the contract: its time goes on by itself, as fast as it can. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Api } from './api.ts';
import { modelClient } from './client.ts';
import type { FarApiWorld } from './contract/pictures.ts';
import { chance, Time } from './time.ts';

const STEP = 10;

export class ModelApi implements FarApiWorld {
  readonly clock = new Time();
  readonly #api: Api;
  readonly client;
  readonly far;
  #ended = false;

  constructor(seed: number) {
    const wish = { encryption: 'none', mode: 'permissive', generation: 1, passOver: [] } as const;
    this.#api = new Api(this.clock, chance(seed), wish);
    const reach = (node: string) => modelClient({ api: this.#api, node, alive: () => true });
    this.client = reach('near');
    this.far = reach('far');
  }

  async run(): Promise<void> {
    while (!this.#ended) {
      await this.clock.advance(STEP);
      await sleep(0);
    }
  }

  async forget(): Promise<void> {
    this.#api.store.forget();
  }

  async cut(isOff: boolean): Promise<void> {
    if (isOff) this.#api.disconnect('far');
    else this.#api.reconnect('far');
  }

  async stop(): Promise<void> {
    this.#ended = true;
  }
}
