/** The charon that is asked: one of our own, started when it is needed, or the host's, of which nothing but what is ours is touched. */
import { Charon, type CharonConfig, type CharonOptions } from './charon.ts';
import { ViciClient } from './vici/client.ts';

/** What of a client of charon is used. */
export type Vici = Pick<ViciClient, 'request' | 'stream' | 'subscribe'>;

export interface Daemon {
  readonly client: Vici;
  /** Another number is, as far as we know, another charon: of what it has loaded nothing is known. */
  readonly epoch: number;
  /** Returns when there is one that runs. @throws IpsecError, ViciError */
  ready(config: CharonConfig): Promise<void>;
  /** Whether there is one, without making one. */
  alive(): Promise<boolean>;
  /** Ends it when it is ours alone. */
  stop(): Promise<void>;
  /** Leaves it as it is. */
  close(): void;
}

export function ownDaemon(options: CharonOptions): Daemon {
  const charon = new Charon(options);
  return new SomeDaemon(charon.socket, charon);
}

/** @param socket of a charon that somebody else starts and configures. */
export const hostDaemon = (socket: string): Daemon => new SomeDaemon(socket, undefined);

class SomeDaemon implements Daemon {
  readonly #client: ViciClient;
  readonly #charon: Charon | undefined;
  #epoch = 0;

  constructor(socket: string, charon: Charon | undefined) {
    this.#charon = charon;
    // A connection that ended may have been a charon that ended.
    this.#client = new ViciClient({ socket, onConnect: () => void this.#epoch++ });
  }

  get client(): Vici {
    return this.#client;
  }

  get epoch(): number {
    return this.#epoch;
  }

  async ready(config: CharonConfig): Promise<void> {
    await this.#charon?.ensure(config);
    await this.#client.request('version');
  }

  async alive(): Promise<boolean> {
    return this.#client.request('version').then(
      () => true,
      () => false,
    );
  }

  async stop(): Promise<void> {
    await this.#charon?.stop();
  }

  close(): void {
    this.#client.close();
  }
}
