/** A cluster of three nodes, as the tests of rollouts play it. */
import { type Puppet, Puppets } from './puppets.ts';
import { type Ran, sheath } from './run.ts';

export const IDLE: Puppet = { generations: [], sending: [] };
export const ON: Puppet = { generations: [1], sending: [1] };

/** Three nodes with idle agents, and a cluster that does as `act` says. */
export class Scene {
  readonly puppets: Puppets;
  readonly #stop = new AbortController();
  #following: Promise<void> | undefined;

  constructor(puppets: Puppets) {
    this.puppets = puppets;
  }

  static async set(all: Puppet = IDLE): Promise<Scene> {
    const puppets = await Puppets.start();
    for (const name of ['n1', 'n2', 'n3']) {
      await puppets.addNode(name);
      await puppets.says(name, all);
    }
    return new Scene(puppets);
  }

  all(puppet: Puppet): Promise<unknown> {
    return Promise.all(['n1', 'n2', 'n3'].map((name) => this.puppets.says(name, puppet)));
  }

  follow(act: (spec: Record<string, unknown>) => Promise<unknown>): this {
    this.#following = this.puppets.follow(async (spec) => void (await act(spec)), this.#stop.signal);
    return this;
  }

  run(...argv: readonly string[]): Promise<Ran> {
    return sheath([...argv, '--kubeconfig', this.puppets.kubeconfig]);
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.puppets.close();
  }
}
