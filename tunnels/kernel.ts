/**
 * What the kernel has, kept between two calls of `set`: read again only when a notice, or a write of ours, made it doubtful.
 */
import type { Link, LinkAddress, Netlink } from './netlink/types.ts';

/** What may have to be read again. */
export type Subject = 'links' | 'addresses' | 'routes' | 'rules' | 'firewall';

export class Kernel {
  readonly netlink: Netlink;
  readonly #stale = new Set<Subject>(['links', 'addresses', 'routes', 'rules', 'firewall']);
  #links: readonly Link[] = [];
  #addresses: readonly LinkAddress[] = [];

  constructor(netlink: Netlink) {
    this.netlink = netlink;
  }

  spoil(...subjects: readonly Subject[]): void {
    for (const subject of subjects) this.#stale.add(subject);
  }

  /** Whether it must be read; the caller is about to. */
  takeStale(subject: Subject): boolean {
    return this.#stale.delete(subject);
  }

  async links(): Promise<readonly Link[]> {
    if (this.takeStale('links')) {
      this.#links = await this.#read('links', () => this.netlink.links());
    }
    return this.#links;
  }

  async addresses(): Promise<readonly LinkAddress[]> {
    if (this.takeStale('addresses')) {
      this.#addresses = await this.#read('addresses', () => this.netlink.addresses());
    }
    return this.#addresses;
  }

  /** Without reading: for notices, which are judged by what is known. */
  get known(): { readonly links: readonly Link[]; readonly addresses: readonly LinkAddress[] } {
    return { links: this.#links, addresses: this.#addresses };
  }

  async link(name: string): Promise<Link | undefined> {
    return (await this.links()).find((link) => link.name === name);
  }

  async #read<T>(subject: Subject, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      this.#stale.add(subject);
      throw error;
    }
  }
}
