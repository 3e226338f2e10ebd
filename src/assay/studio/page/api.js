// Requests to the studio's own server. What changes something carries a header that no other site's page can set.

const TOGETHER = 16 << 20;
const MOST_FILES = 500;

export class Refusal extends Error {
  constructor(error, hint, status) {
    super(error);
    this.hint = hint;
    this.status = status;
  }
}

const address = (path) => (path.startsWith("/api/") ? path : `/api/${path.replace(/^\//, "")}`);

async function ask(path, options) {
  let response;
  try {
    response = await fetch(address(path), options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("the studio does not answer", "Is assay studio still running? Start it again, and load the page anew.", 0);
  }
  let found = null;
  try {
    found = await response.json();
  } catch { /* told below */ }
  if (!response.ok || found === null) {
    throw new Refusal(found?.error || "the studio gave no answer", found?.hint || "Load the page again.", response.status);
  }
  return found;
}

export const api = {
  get: (path, signal) => ask(path, { signal }),

  post: (path, body = {}) =>
    ask(path, { method: "POST", headers: { "content-type": "application/json", "x-assay": "1" }, body: JSON.stringify(body) }),

  /** A form of fields and files: [{file, path}]. */
  form(path, files, fields = {}) {
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    for (const { file, path: name } of files) form.append("files", file, name);
    return ask(path, { method: "POST", headers: { "x-assay": "1" }, body: form });
  },

  raw: (path, body) => ask(path, { method: "POST", headers: { "x-assay": "1", "content-type": "application/zip" }, body }),
};

/** Sends many files in forms of bounded size, zips by themselves; tells how far it is, and gives what became of them. */
export async function sendAll(project, files, query, told = () => {}) {
  const total = { added: 0, there: 0, skipped: 0, left: [] };
  const add = (found) => {
    for (const name of ["added", "there", "skipped"]) total[name] += found[name];
    total.left.push(...found.left);
  };
  const zips = files.filter(({ path }) => /\.zip$/i.test(path));
  let waiting = [];
  let size = 0;
  let done = 0;
  const flush = async () => {
    if (!waiting.length) return;
    add(await api.form(`projects/${project}/files${query}`, waiting));
    done += waiting.length;
    told(done, files.length);
    waiting = [];
    size = 0;
  };
  for (const one of files.filter((each) => !zips.includes(each))) {
    if (waiting.length >= MOST_FILES || (size && size + one.file.size > TOGETHER)) await flush();
    waiting.push(one);
    size += one.file.size;
  }
  await flush();
  for (const { file } of zips) {
    add(await api.raw(`projects/${project}/zip${query}`, file));
    told((done += 1), files.length);
  }
  return total;
}

/** The files of a drop, those in folders with their paths. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = [];
  const walk = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((good, bad) => entry.file(good, bad));
      found.push({ file, path: path + entry.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((good, bad) => reader.readEntries(good, bad));
      if (!some.length) return;
      for (const one of some) await walk(one, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await walk(entry, "");
  return found.length ? found : [...transfer.files].map((file) => ({ file, path: file.name }));
}
