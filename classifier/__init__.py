"""Q1Net: how strongly was this picture JPEG-compressed, from its pixels alone?"""
