// Formatting as people type it (`hub/inbox/compose.py`): a sign on both sides of whole words, line by line; a second press takes it
// away again.

export function mark(field, sign) {
  const { value } = field;
  let [start, end] = [field.selectionStart, field.selectionEnd];
  field.focus();
  if (start === end && !/\w/u.test(value.slice(start - 1, start) + value.slice(end, end + 1))) {
    field.setRangeText(sign + sign, start, end, "start");
    field.setSelectionRange(start + 1, start + 1);
    return told(field);
  }
  while (start > 0 && /[\p{L}\p{N}_]/u.test(value[start - 1])) start -= 1;
  while (end < value.length && /[\p{L}\p{N}_]/u.test(value[end])) end += 1;
  while (start < end && /\s/u.test(value[start])) start += 1;
  while (end > start && /\s/u.test(value[end - 1])) end -= 1;
  if (end - start > 2 && value[start] === sign && value[end - 1] === sign) [start, end] = [start + 1, end - 1];
  if (value[start - 1] === sign && value[end] === sign) {
    field.setRangeText(value.slice(start, end), start - 1, end + 1, "select");
    return told(field);
  }
  const lines = value.slice(start, end).split("\n");
  field.setRangeText(lines.map((line) => (line.trim() ? wrap(line, sign) : line)).join("\n"), start, end, "select");
  return told(field);
}

function wrap(line, sign) {
  const inner = line.trim();
  return line.replace(inner, () => sign + inner + sign);
}

function told(field) {
  field.dispatchEvent(new Event("input", { bubbles: true }));
}
