/** How many states and policies this network namespace has: the kernel's own counters, which cost nothing to read (linux/xfrm.h). */
import { RequestSocket } from '../../tunnels/netlink/socket.ts';
import type { Message } from '../../tunnels/netlink/wire.ts';

const NETLINK_XFRM = 6;
const GETSADINFO = 0x23;
const GETSPDINFO = 0x25;
/** After `nlmsghdr` and flags: length and type of the first attribute. */
const VALUE = 8;

export interface Counts {
  /** Also those that have no keys yet. */
  readonly states: number;
  /** Policies by which something is sent. */
  readonly out: number;
}

export class XfrmCounter {
  readonly #socket = new RequestSocket(NETLINK_XFRM);

  async read(): Promise<Counts> {
    const states = (await this.#ask(GETSADINFO)).readUInt32LE(VALUE);
    // struct xfrmu_spdinfo: incnt, outcnt, ...
    const out = (await this.#ask(GETSPDINFO)).readUInt32LE(VALUE + 4);
    return { states, out };
  }

  close(): void {
    this.#socket.close();
  }

  async #ask(type: number): Promise<Buffer> {
    let found: Message | undefined;
    await this.#socket.dump(
      (writer) => {
        writer.begin(type, 0);
        writer.struct([0, 0, 0, 0]);
      },
      (message) => {
        found = message;
      },
      () => undefined,
    );
    if (found === undefined) throw new Error(`the kernel did not answer request ${type}`);
    return Buffer.from(found.body);
  }
}
