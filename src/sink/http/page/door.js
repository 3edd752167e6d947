// The page that asks for the token. It is what every address answers without one, so a token in the address was wrong.

const address = new URL(location.href);
if (address.searchParams.has("token")) {
  const field = document.getElementById("token");
  document.getElementById("wrong").textContent = "That is not the token of this board.";
  field.setAttribute("aria-invalid", "true");
  field.focus();
  // A wrong token is likely another's password: not for the history.
  history.replaceState(null, "", address.pathname);
}
