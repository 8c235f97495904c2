from . import files

for path, text in files().items():
    path.write_text(text)
    print(f"wrote {path}")
