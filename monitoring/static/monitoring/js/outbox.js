// Changes that the server does not have yet, kept in this browser: they outlive a cut, a reload and a closed page.
//
// Each open page keeps its own. A page that goes away leaves them behind; the next one to start sends them.

const PREFIX = "unsaved:";
const FORGOTTEN_MS = 15_000; // a page that lives writes more often than this while changes wait

const letters = "0123456789abcdefghjkmnpqrstvwxyz"; // Crockford's base32, as the server's own keys

function randomLetters(count) {
  return [...crypto.getRandomValues(new Uint8Array(count))].map((byte) => letters[byte & 31]).join("");
}

/** A key for a new box that nobody has: milliseconds, then chance; the same form as the server's keys. */
export function newTagKey(now = Date.now()) {
  let time = "";
  for (let rest = now, place = 0; place < 10; place += 1) {
    time = letters[rest % 32] + time;
    rest = Math.floor(rest / 32);
  }
  return `tg_${time}${randomLetters(16)}`;
}

/** A word for this open page, the same until it is left. */
export const client = randomLetters(20);

const user = () => document.body.dataset.user;

let isLeaving = false; // a request that the leaving cuts off still writes here afterwards

const placeOf = (image) => `${PREFIX}${image}:${client}`;

/** `ops` of the picture are what waits now; none takes the entry away. */
export function keep(image, ops) {
  if (ops.length) localStorage.setItem(placeOf(image), JSON.stringify({ image, ops, user: user(), at: Date.now(), isLeft: isLeaving }));
  else localStorage.removeItem(placeOf(image));
}

function entries() {
  const places = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
  return places.map((place) => ({ place, ...JSON.parse(localStorage.getItem(place)) })).sort((one, other) => one.at - other.at);
}

/** Takes over what this person's pages that are gone have left: Map of picture -> changes, oldest first. */
export function takeOver(now = Date.now()) {
  const found = new Map();
  for (const { place, image, ops, at, isLeft, user: by } of entries()) {
    if (by !== user() || (!isLeft && now - at < FORGOTTEN_MS)) continue;
    localStorage.removeItem(place);
    found.set(image, [...(found.get(image) ?? []), ...ops]);
    keep(image, found.get(image)); // ours from here on
  }
  return found;
}

addEventListener("pageshow", () => { isLeaving = false; }); // it may come back as it was
addEventListener("pagehide", () => {
  isLeaving = true;
  for (const { place, ...entry } of entries()) {
    if (place.endsWith(`:${client}`)) localStorage.setItem(place, JSON.stringify({ ...entry, isLeft: true }));
  }
});
