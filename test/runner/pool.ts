/** Runs every item in one of the places, first come first served; `places` says how many run at a time. */
export async function inParallel<Item, Place>(
  items: readonly Item[],
  places: readonly Place[],
  work: (item: Item, place: Place) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  await Promise.all(
    places.map(async (place) => {
      for (const item of queue) await work(item, place);
    }),
  );
}
